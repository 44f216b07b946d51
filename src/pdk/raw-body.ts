/** A request body above nginx's buffer: Kong names the file in which it lies until the request is over. */
export class BodyFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}
