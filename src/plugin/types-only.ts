/** Stands in for a module that has types and no code, where an import of it was not erased. */
export default undefined;
