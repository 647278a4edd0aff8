/** The page `/`: questions, and where one is in them. */

import "./ask_first.js";
