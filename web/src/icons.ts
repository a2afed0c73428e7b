// SPDX-License-Identifier: Apache-2.0
//
// The page's icons: outlines on a grid of 24, drawn for it.

export const iconShapes = {
  spark: "M12 3c.8 5.5 3.5 8.2 9 9-5.5.8-8.2 3.5-9 9-.8-5.5-3.5-8.2-9-9 5.5-.8 8.2-3.5 9-9z",
  plus: "M12 5v14M5 12h14",
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "M6 6l12 12M18 6L6 18",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20",
  sliders: "M4 8h9M17 8h3M15 5.5v5M4 16h3M11 16h9M9 13.5v5",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7.5 7.5h9v9h-9z",
  clip: "M19 11.5l-7.5 7.5a4.5 4.5 0 0 1-6.4-6.400l7.8-7.800a3 3 0 0 1 4.3 4.300l-7.7 7.700a1.5 1.5 0 0 1-2.2-2.200l7-7",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  check: "M5 12.5l4.5 4.5L19 7.5",
  edit: "M5 19l1-4L16.5 4.5l3 3L9 18zM14 7l3 3",
  retry: "M19 12a7 7 0 1 1-2-4.900M19 4v4h-4",
  left: "M14.5 6l-6 6 6 6",
  right: "M9.5 6l6 6-6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  compare: "M4 5h6v14H4zM14 5h6v14h-6z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.600l1.1 1.100M17.3 17.300l1.1 1.100M5.6 18.400l1.1-1.100M17.3 6.700l1.1-1.1",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  tool: "M14.5 6.5a4 4 0 0 1 5-1.200l-2.7 2.7 1.2 1.2 2.7-2.700a4 4 0 0 1-5.4 5L8 18.800a2 2 0 0 1-2.8-2.800l7.3-7.300a4 4 0 0 1 2-2.200z",
  thought: "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.900c.8.6 1 1.2 1 2.100h5c0-.9.2-1.5 1-2.100A6 6 0 0 0 12 3z",
  warning: "M12 4l9 16H3zM12 10v4M12 17h.01",
  key: "M14.5 4a5.5 5.5 0 1 0-4.6 8.600L4 18.5V20h3v-2h2v-2h2l1.8-1.800A5.5 5.5 0 0 0 14.5 4zM16 8h.01",
} as const;

export type IconName = keyof typeof iconShapes;
