// Which cards are in sight. Never knows what is on them.
import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";

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
