export * from '../../../plugins/js-pre-function.js';
