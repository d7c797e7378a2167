// What every page runs: fresh relative times, forms that lose nothing, and the live parts where a page has them.

import { keepFormsSafe } from "./forms.js";
import { followLogs } from "./log.js";
import { watch } from "./live.js";
import { keepTimesFresh } from "./times.js";

keepTimesFresh();
keepFormsSafe();
watch();
followLogs();
