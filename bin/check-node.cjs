'use strict';
// In the words of old Nodes, too: no syntax from after 2009.
var version = process.versions.node.split('.');
var major = Number(version[0]);
if (major < 20 || (major === 20 && Number(version[1]) < 19)) {
  process.stderr.write(`kong-ts-pluginserver needs Node 20.19 or later; this is ${process.versions.node}\n`);
  process.exit(1);
}
