// The start: reads the address and draws the page it asks for. Never anything else.
import { render } from "preact";
import { announceLanguage } from "./language";
import { placeOf } from "./place";
import { open } from "./session";
import { Page } from "./views/Page";
import { SystemList } from "./views/SystemList";
import { SystemPage } from "./views/SystemPage";

announceLanguage();

const root = document.getElementById("console");
if (root !== null) {
  const place = placeOf(location.pathname);
  const content = place.page === "list" ? <SystemList /> : <SystemPage session={open(place.id)} />;
  render(<Page>{content}</Page>, root);
}
