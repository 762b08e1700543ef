// Every text a person reads, in English and in French, and the choice between them.
// Never holds a text of the gateway: its error messages are shown as they come.
import type { Command, Mode, Outcome, Reason } from "./wire";

export const LANGUAGES = ["en", "fr"] as const;
export type Language = (typeof LANGUAGES)[number];

export interface Texts {
  languageName: string;
  languageChoice: string;
  systems: string;
  noSystems: string;
  listFailed: string;
  loading: string;
  backToList: string;
  missing: (id: string) => string;
  connecting: string;
  lost: string;
  noNews: (seconds: number) => string;
  joinFailed: string;
  mode: Record<Mode, string>;
  modeHint: Record<Mode, string>;
  serverClock: string;
  clockNotSet: string;
  lastKnown: string;
  remaining: string;
  running: string;
  began: string;
  ends: string;
  endsByHand: string;
  askedBy: string;
  commands: string;
  command: Record<Command, string>;
  seconds: string;
  badSeconds: string;
  sending: string;
  done: Record<Command, string>;
  reason: Record<Reason, string>;
  refused: string;
  noAnswer: Record<Command, string>;
  history: string;
  noHistory: string;
  historyFailed: string;
  outcome: Record<Outcome, string>;
  planned: string;
  real: string;
  noPlan: string;
  unknown: string;
  unknownEnd: string;
  timeline: {
    title: string;
    said: (runs: number) => string;
    now: string;
    endUnknown: string;
    ahead: string;
    endedBy: string;
  };
}

const en: Texts = {
  languageName: "English",
  languageChoice: "Language",
  systems: "Irrigation systems",
  noSystems: "This gateway has no system yet.",
  listFailed: "The list cannot be read. Trying again…",
  loading: "Loading…",
  backToList: "All systems",
  missing: (id) => `There is no system “${id}” on this gateway.`,
  connecting: "Connecting…",
  lost: "Connection lost. Reconnecting…",
  noNews: (seconds) => `No news for ${seconds} s`,
  joinFailed: "The gateway does not let us in yet:",
  mode: { wait: "Waiting", timer: "Timer", manual: "Manual" },
  modeHint: {
    wait: "No water is running.",
    timer: "Water is running for a set time.",
    manual: "Water is running until it is stopped.",
  },
  serverClock: "Clock of the gateway",
  clockNotSet: "The clock of the gateway is not set: the dates shown may be wrong. Durations are right.",
  lastKnown: "Last known state:",
  remaining: "remaining",
  running: "running",
  began: "Start",
  ends: "End",
  endsByHand: "none set",
  askedBy: "By",
  commands: "Commands",
  command: { manual: "Start manual", timer: "Start timer", stop: "STOP" },
  seconds: "Seconds",
  badSeconds: "The timer takes whole seconds, from 1 to 86400 (one day).",
  sending: "Sending…",
  done: { manual: "Manual started.", timer: "Timer started.", stop: "Stopped." },
  reason: {
    timer_running: "Nothing changed: a timer is already running.",
    manual_has_priority: "Nothing changed: manual is running and has priority over the timer.",
    manual_running: "Nothing changed: manual is already running.",
    not_running: "Nothing changed: no water was running.",
  },
  refused: "The gateway refused:",
  noAnswer: {
    manual: "No answer from the gateway. It is not known whether manual has started.",
    timer: "No answer from the gateway. It is not known whether the timer has started.",
    stop: "No answer from the gateway. It is not known whether the water has stopped: try again, or close the valve by hand.",
  },
  history: "Last 10 actions",
  noHistory: "No action yet.",
  historyFailed: "The history cannot be read.",
  outcome: {
    completed: "completed",
    stopped: "stopped",
    replaced: "replaced by manual",
    limited: "cut at the limit",
    interrupted: "interrupted: the machine went down",
  },
  planned: "planned",
  real: "actual",
  noPlan: "no limit",
  unknown: "unknown",
  unknownEnd: "end unknown",
  timeline: {
    title: "Last 24 hours",
    said: (runs) => `Water in the last 24 hours: ${runs === 0 ? "none" : runs === 1 ? "1 run" : `${runs} runs`}`,
    now: "now",
    endUnknown: "interrupted, end unknown",
    ahead: "still planned",
    endedBy: "ended by",
  },
};

const fr: Texts = {
  languageName: "Français",
  languageChoice: "Langue",
  systems: "Systèmes d’irrigation",
  noSystems: "Cette passerelle n’a pas encore de système.",
  listFailed: "La liste est illisible. Nouvel essai…",
  loading: "Chargement…",
  backToList: "Tous les systèmes",
  missing: (id) => `Il n’y a pas de système «\u00a0${id}\u00a0» sur cette passerelle.`,
  connecting: "Connexion…",
  lost: "Connexion perdue. Reconnexion…",
  noNews: (seconds) => `Aucune nouvelle depuis ${seconds} s`,
  joinFailed: "La passerelle ne nous laisse pas encore entrer\u00a0:",
  mode: { wait: "En attente", timer: "Minuterie", manual: "Manuel" },
  modeHint: {
    wait: "L’eau ne coule pas.",
    timer: "L’eau coule pour une durée fixée.",
    manual: "L’eau coule jusqu’à l’arrêt.",
  },
  serverClock: "Horloge de la passerelle",
  clockNotSet:
    "L’horloge de la passerelle n’est pas réglée\u00a0: les dates affichées peuvent être fausses. Les durées sont justes.",
  lastKnown: "Dernier état connu\u00a0:",
  remaining: "restant",
  running: "en cours",
  began: "Début",
  ends: "Fin",
  endsByHand: "non fixée",
  askedBy: "Par",
  commands: "Commandes",
  command: { manual: "Ouvrir en manuel", timer: "Lancer la minuterie", stop: "ARRÊT" },
  seconds: "Secondes",
  badSeconds: "La minuterie prend des secondes entières, de 1 à 86400 (un jour).",
  sending: "Envoi…",
  done: { manual: "Mode manuel lancé.", timer: "Minuterie lancée.", stop: "Arrêté." },
  reason: {
    timer_running: "Rien n’a changé\u00a0: une minuterie est déjà en cours.",
    manual_has_priority: "Rien n’a changé\u00a0: le mode manuel est en cours et a priorité sur la minuterie.",
    manual_running: "Rien n’a changé\u00a0: le mode manuel est déjà en cours.",
    not_running: "Rien n’a changé\u00a0: l’eau ne coulait pas.",
  },
  refused: "La passerelle a refusé\u00a0:",
  noAnswer: {
    manual: "Pas de réponse de la passerelle. On ne sait pas si le mode manuel est lancé.",
    timer: "Pas de réponse de la passerelle. On ne sait pas si la minuterie est lancée.",
    stop: "Pas de réponse de la passerelle. On ne sait pas si l’eau est arrêtée\u00a0: réessayez, ou fermez la vanne à la main.",
  },
  history: "10 dernières actions",
  noHistory: "Aucune action pour l’instant.",
  historyFailed: "L’historique est illisible.",
  outcome: {
    completed: "jusqu’au bout",
    stopped: "arrêt demandé",
    replaced: "relais par le manuel",
    limited: "limite atteinte",
    interrupted: "interruption\u00a0: la machine s’est éteinte",
  },
  planned: "prévu",
  real: "réel",
  noPlan: "sans limite",
  unknown: "inconnu",
  unknownEnd: "fin inconnue",
  timeline: {
    title: "Dernières 24 heures",
    said: (runs) => `Eau des dernières 24 heures\u00a0: ${runs === 0 ? "aucune" : runs === 1 ? "1 arrosage" : `${runs} arrosages`}`,
    now: "maintenant",
    endUnknown: "interruption, fin inconnue",
    ahead: "encore prévu",
    endedBy: "fin par",
  },
};

export const TEXTS: Record<Language, Texts> = { en, fr };

/** A later gateway may know reasons and outcomes that this page does not: its own word is shown then. */
export function word(words: Readonly<Record<string, string>>, code: string): string {
  return words[code] ?? code;
}

/** The remembered choice, else the first language of the browser that we have, else English. */
export function choose(choice: string | null, wanted: readonly string[]): Language {
  const candidates = [choice, ...wanted].map((tag) => tag?.toLowerCase().split("-")[0]);
  for (const candidate of candidates) {
    const known = LANGUAGES.find((have) => have === candidate);
    if (known !== undefined) return known;
  }
  return "en";
}
