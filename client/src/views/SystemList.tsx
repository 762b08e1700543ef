// All systems of the gateway, each with its mode and a link to its page.
// Never commands anything and joins no room: it asks again every few seconds while it is looked at.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { systems } from "../gateway";
import { texts } from "../language";
import { addressOf } from "../place";
import type { System } from "../wire";

const ASK_AGAIN_MS = 5000;

export function SystemList() {
  const known = useSignal<readonly System[] | null>(null);
  const failed = useSignal(false);

  useEffect(() => {
    document.title = `${texts.value.systems} · acequia`;
  }, [texts.value]);

  useEffect(() => {
    const ask = async (): Promise<void> => {
      try {
        known.value = await systems();
        failed.value = false;
      } catch {
        failed.value = true;
      }
    };
    const askIfSeen = (): void => {
      if (document.visibilityState === "visible") void ask();
    };
    void ask();
    const timer = setInterval(askIfSeen, ASK_AGAIN_MS);
    document.addEventListener("visibilitychange", askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", askIfSeen);
    };
  }, [known, failed]);

  return (
    <>
      <h1>{texts.value.systems}</h1>
      <div role="status">{failed.value && <p class="warning">{texts.value.listFailed}</p>}</div>
      {known.value === null ? !failed.value && <p>{texts.value.loading}</p> : <List systems={known.value} />}
    </>
  );
}

function List({ systems }: { systems: readonly System[] }) {
  if (systems.length === 0) return <p>{texts.value.noSystems}</p>;
  return (
    <ul class="systems">
      {systems.map((system) => (
        <li key={system.id}>
          <a href={addressOf(system.id)}>
            <span class="systems-name">{system.name}</span>
            <span class={`tag tag-${system.state.mode}`}>{texts.value.mode[system.state.mode]}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
