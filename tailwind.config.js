// Measures of the shell, shared with the end-to-end tests (which read this file) and loaded by
// style/main.css through @config. Colours, type and radii live in style/tokens.css.
module.exports = {
  theme: {
    extend: {
      spacing: {
        sidebar: "14rem", // 224 px, from 1280
        rail: "3.75rem", // 60 px, 768 to 1279
        bar: "3.25rem", // 52 px: page bar, head of the sidebar
        tabbar: "4rem", // phone
      },
      maxWidth: { content: "100rem" },
    },
  },
};
