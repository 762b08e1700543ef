// The start: reads the address and draws the page it asks for. Never anything else.
import { render } from "preact";
import { announceLanguage } from "./language";
import { placeOf } from "./place";
import { open } from "./session";
import { Overview } from "./views/Overview";
import { Page } from "./views/Page";
import { SystemPage } from "./views/SystemPage";

announceLanguage();

const root = document.getElementById("console");
if (root !== null) {
  const place = placeOf(location.pathname);
  const session = open(place);
  const isRoot = place.page === "list";
  const content = isRoot ? <Overview session={session} /> : <SystemPage session={session} id={place.id} />;
  render(<Page isRoot={isRoot}>{content}</Page>, root);
}
