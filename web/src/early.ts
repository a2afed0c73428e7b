// SPDX-License-Identifier: Apache-2.0
//
// Runs before the page is painted: the chosen colours, so that a dark page never flashes white.
import { applyTheme } from "./theme";

applyTheme();
