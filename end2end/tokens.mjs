// A class that Tailwind knows only from tailwind.config.js, taken from the configuration itself.
import config from '../tailwind.config.js';

const colors = config.theme.extend?.colors ?? config.theme.colors;
const [name, value] = Object.entries(colors).find(([, value]) => typeof value === 'string');

export const tokenClass = { selector: `.text-${name}`, declaration: value };
