/** Why a broker will not start on this data folder, in words that name the mend. The edge prints it and exits. */
export class StartRefused extends Error {}
