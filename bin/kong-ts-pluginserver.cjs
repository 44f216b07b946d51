#!/usr/bin/env -S node --
'use strict';
// Every Node can read this file, so that one that is too old is told so in a line.
require('./check-node.cjs');
require('./run.cjs');
