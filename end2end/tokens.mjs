// A class and a measure that exist only if style/main.css loads tailwind.config.js; read from the configuration itself.
import config from '../tailwind.config.js';

const { spacing } = config.theme.extend;

/** `h-bar`: the height of the page bar, a class of the shell. */
export const tokenClass = { selector: '.h-bar', declaration: `height:${spacing.bar}` };

/** The sidebar's width, used by style/shell.css through theme(). */
export const sidebar = spacing.sidebar;
