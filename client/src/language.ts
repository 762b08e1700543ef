// The language being read now: from the browser, or as the person chose it last.
// Holds no text (texts.ts).
import { computed, effect, signal } from "@preact/signals";
import { choose, TEXTS, type Language } from "./texts";

const REMEMBERED = "acequia.language";

export const language = signal<Language>(choose(remembered(), navigator.languages));
export const texts = computed(() => TEXTS[language.value]);

export function speak(choice: Language): void {
  language.value = choice;
  try {
    localStorage.setItem(REMEMBERED, choice);
  } catch {
    // A browser that keeps nothing still speaks the chosen language until the page is left.
  }
}

/** Keeps `<html lang>` true to what is read. */
export function announceLanguage(): void {
  effect(() => {
    document.documentElement.lang = language.value;
  });
}

function remembered(): string | null {
  try {
    return localStorage.getItem(REMEMBERED);
  } catch {
    return null;
  }
}
