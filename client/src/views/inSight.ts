// Which cards are in sight, and which one is in focus. Never knows what is on them.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** Somewhat beyond the edge, so that a card is live by the time it is seen. */
const MARGIN = "200px";

export function useInSight(root: RefObject<HTMLElement | null>, ids: readonly string[]): readonly string[] {
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const order = ids.join(" ");

  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => {
        setSeen((known) => {
          const next = new Set(known);
          for (const { target, isIntersecting } of entries) {
            const id = target.getAttribute("data-system");
            if (id === null) continue;
            if (isIntersecting) next.add(id);
            else next.delete(id);
          }
          return next;
        });
      },
      { rootMargin: MARGIN },
    );
    root.current?.querySelectorAll("[data-system]").forEach((card) => {
      observer.observe(card);
    });
    return () => {
      observer.disconnect();
    };
  }, [root, order]);

  return ids.filter((id) => seen.has(id));
}

/** A card that moves to another place in the list keeps the focus that it had. */
export function useKeptFocus(root: RefObject<HTMLElement | null>, order: string): void {
  const focused = useRef<string | null>(null);

  useEffect(() => {
    const note = (event: FocusEvent): void => {
      const card = event.target instanceof Element ? event.target.closest("[data-system]") : null;
      focused.current = card?.getAttribute("data-system") ?? null;
    };
    document.addEventListener("focusin", note);
    return () => {
      document.removeEventListener("focusin", note);
    };
  }, []);

  useLayoutEffect(() => {
    if (focused.current === null || document.activeElement !== document.body) return;
    root.current?.querySelector<HTMLElement>(`[data-system="${focused.current}"] a`)?.focus({ preventScroll: true });
  }, [root, order]);
}
