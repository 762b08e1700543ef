// The little that a browser keeps for a person: language, the last length of a timer.
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
