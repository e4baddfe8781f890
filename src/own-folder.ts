/** Where poolscope's own code is: frames of it are not the application's. Right in the sources and in the package. */
export const OWN_FOLDER: string = new URL(".", import.meta.url).href;
