/** The script of `worker.ts`; empty where no build has put it here, and the page's own thread draws. */
export const script: string = "";
