// The signs of the modes. Never the only bearer of a meaning: the word always stands beside them.
import type { Mode } from "../wire";

const DROP = "M12 3c4 5 6 8 6 11a6 6 0 0 1-12 0c0-3 2-6 6-11z";

export function ModeIcon({ mode }: { mode: Mode }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {SIGNS[mode]}
    </svg>
  );
}

const SIGNS = {
  // A drop that is crossed out.
  wait: <path d={`${DROP}M4 4l16 16`} />,
  // A stopwatch.
  timer: <path d="M12 6a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM12 9v5l3 2M9.5 2.5h5M12 2.5V6" />,
  // A tap that is open.
  manual: <path d="M3 8h9a6 6 0 0 1 6 6h-4a3 3 0 0 0-3-3H3zM8 8V4M5 4h6M16 17c1.4 1.7 2 2.5 2 3.3a2 2 0 0 1-4 0c0-.8.6-1.6 2-3.3z" />,
};
