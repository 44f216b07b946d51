/** What is used here of luaparse, which brings no types. */
declare module 'luaparse' {
  export interface LuaNode {
    readonly type: string;
    readonly name?: string;
    readonly raw?: string;
    readonly isLocal?: boolean;
    readonly base?: LuaNode;
    readonly identifier?: LuaNode;
    readonly argument?: LuaNode;
    readonly arguments?: readonly LuaNode[];
    readonly loc?: { readonly start: { readonly line: number; readonly column: number } };
  }
  interface Options {
    readonly luaVersion?: 'LuaJIT';
    readonly comments?: boolean;
    readonly locations?: boolean;
    readonly scope?: boolean;
    readonly onCreateNode?: (node: LuaNode) => void;
  }
  const luaparse: { parse(source: string, options: Options): unknown };
  export default luaparse;
}
