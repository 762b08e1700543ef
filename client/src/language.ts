// The language being read now: from the browser, or as the person chose it last.
// Holds no text (texts.ts).
import { computed, effect, signal } from "@preact/signals";
import { recall, remember } from "./remembered";
import { choose, TEXTS, type Language } from "./texts";

const REMEMBERED = "language";

export const language = signal<Language>(choose(recall(REMEMBERED), navigator.languages));
export const texts = computed(() => TEXTS[language.value]);

export function speak(choice: Language): void {
  language.value = choice;
  remember(REMEMBERED, choice);
}

/** Keeps `<html lang>` true to what is read. */
export function announceLanguage(): void {
  effect(() => {
    document.documentElement.lang = language.value;
  });
}
