// The little that a browser keeps for a person: language, the last length of a timer, stops that are not confirmed yet.
// A browser that keeps nothing is no error: then every visit is the first.

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`acequia.${name}`);
  } catch {
    return null;
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`acequia.${name}`, value);
  } catch {
    // What was chosen holds until the page is left.
  }
}

/** The same for one tab, from page to page. */
export function recallHere(name: string): string | null {
  try {
    return sessionStorage.getItem(`acequia.${name}`);
  } catch {
    return null;
  }
}

export function rememberHere(name: string, value: string | null): void {
  try {
    if (value === null) sessionStorage.removeItem(`acequia.${name}`);
    else sessionStorage.setItem(`acequia.${name}`, value);
  } catch {
    // Then it ends with the page.
  }
}
