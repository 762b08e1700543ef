// Notices that the page or its machine was asleep. Never measures anything but that.

const LOOK_MS = 1000;
const ASLEEP_MS = 2000;

/** The page is looked at again, thawed, or has a network again. */
export function onWake(then: () => void): void {
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") then();
  });
  document.addEventListener("resume", then);
  addEventListener("pageshow", (event) => {
    if (event.persisted) then();
  });
  addEventListener("online", then);
}

/** performance.now() may stand still while the machine sleeps. The wall clock does not; that it is set looks the same
 *  and does no harm, for all that follows is a look at what is true now. */
export function watchSleep(then: (ms: number) => void): void {
  let lead = wallMs() - performance.now();
  setInterval(() => {
    const slept = wallMs() - performance.now() - lead;
    lead += slept;
    if (slept > ASLEEP_MS) then(slept);
  }, LOOK_MS);
}

function wallMs(): number {
  // eslint-disable-next-line no-restricted-globals -- Only differences count here, and no time of the gateway is read.
  return Date.now();
}
