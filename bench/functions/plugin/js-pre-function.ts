export * from '../../../plugins/js-pre-function/index.js';
