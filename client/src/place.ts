// Which page an address asks for. Never changes the address: links are real links.

export type Place = { page: "list" } | { page: "system"; id: string };

export function placeOf(pathname: string): Place {
  const id = /^\/console\/([^/]+)\/?$/.exec(pathname)?.[1];
  return id === undefined ? { page: "list" } : { page: "system", id: decoded(id) };
}

export function addressOf(id: string): string {
  return `/console/${encodeURIComponent(id)}`;
}

/** A broken escape is no reason to fail: such an id is simply unknown to the gateway. */
function decoded(id: string): string {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}
