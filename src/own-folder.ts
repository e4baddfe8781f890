/**
 * Where poolscope's own code is, in the sources and in the package: frames of it are not the application's. In an
 * application's bundle it is where the application is, too. Undefined in a bundle for CommonJS.
 */
export const OWN_FOLDER: string | undefined = (import.meta.url as string | undefined)?.replace(/[^/]*$/, "");
