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
  howManyRun: (running: number, all: number) => string;
  runningGroup: string;
  waitingGroup: string;
  search: string;
  nothingFound: string;
  pageOf: (page: number, pages: number) => string;
  previousPage: string;
  nextPage: string;
  stopAll: string;
  stopAllQuestion: (running: number) => string;
  stopAllHint: (running: number, all: number) => string;
  cancel: string;
  stopAllSent: (confirmed: number, all: number) => string;
  stopAllDone: string;
  stopAllRefused: (names: string) => string;
  loading: string;
  backToList: string;
  missing: (id: string) => string;
  connecting: string;
  live: string;
  late: string;
  noNews: (seconds: number) => string;
  stateOf: (seconds: number) => string;
  stateUnknown: string;
  stateUnknownSince: (time: string) => string;
  unknownHint: string;
  storeAwayHint: string;
  joinFailed: string;
  mode: Record<Mode, string>;
  modeHint: Record<Mode, string>;
  serverClock: string;
  clockNotSet: string;
  lastKnown: string;
  lastRun: string;
  remaining: string;
  running: string;
  stopsByItself: string;
  began: string;
  ends: string;
  endsByHand: string;
  askedBy: string;
  commands: string;
  command: Record<Command, string>;
  stopKeys: string;
  timerOf: (length: string) => string;
  length: string;
  minutes: string;
  seconds: string;
  badLength: string;
  sent: Record<Command, string>;
  sentAgain: string;
  stopSentAgain: string;
  times: (attempt: number) => string;
  unconfirmedStops: (names: string) => string;
  done: Record<Command, string>;
  reason: Record<Reason, string>;
  refused: string;
  noAnswer: Record<Command, string>;
  history: string;
  noHistory: string;
  historyFailed: string;
  showOlder: string;
  downloadCsv: string;
  csvFailed: string;
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
  howManyRun: (running, all) =>
    running === 0
      ? `No water is running (${all === 1 ? "1 system" : `${all} systems`})`
      : `${running} of ${all} ${all === 1 ? "system" : "systems"} running`,
  runningGroup: "Running",
  waitingGroup: "Waiting",
  search: "Search systems",
  nothingFound: "No system found.",
  pageOf: (page, pages) => `Page ${page} of ${pages}`,
  previousPage: "Previous page",
  nextPage: "Next page",
  stopAll: "Stop all",
  stopAllQuestion: (running) => (running === 0 ? "Stop all systems all the same?" : "Stop all systems?"),
  stopAllHint: (running, all) =>
    running === 0
      ? "As far as is known, no water is running."
      : `${running} of ${all} ${running === 1 ? "is" : "are"} running.`,
  cancel: "Cancel",
  stopAllSent: (confirmed, all) => `Stop sent to ${all}, confirmed for ${confirmed}. It is sent until all are confirmed.`,
  stopAllDone: "Confirmed: all are stopped.",
  stopAllRefused: (names) => `Refused the stop: ${names}.`,
  loading: "Loading…",
  backToList: "All systems",
  missing: (id) => `There is no system “${id}” on this gateway.`,
  connecting: "Connecting…",
  live: "Live",
  late: "No news from the gateway",
  noNews: (seconds) => `No news for ${seconds} s`,
  stateOf: (seconds) => `State of ${seconds} s ago`,
  stateUnknown: "State unknown",
  stateUnknownSince: (time) => `State unknown since ${time}`,
  unknownHint:
    "The gateway does not answer. Nothing can be started from here. STOP is sent until it is confirmed; if in doubt, close the valve by hand.",
  storeAwayHint:
    "The gateway answers, but does not reach its database: it refuses commands until it does. STOP is sent until it is confirmed; if in doubt, close the valve by hand.",
  joinFailed: "The gateway does not let us in yet:",
  mode: { wait: "Waiting", timer: "Timer", manual: "Manual" },
  modeHint: {
    wait: "No water is running.",
    timer: "Water is running for a set time.",
    manual: "Water is running until somebody stops it.",
  },
  serverClock: "Clock of the gateway",
  clockNotSet: "The clock of the gateway is not set: the dates shown may be wrong. Durations are right.",
  lastKnown: "Last known state:",
  lastRun: "Last run",
  remaining: "remaining",
  running: "running",
  stopsByItself: "stops by itself in",
  began: "Start",
  ends: "End",
  endsByHand: "none set",
  askedBy: "By",
  commands: "Commands",
  command: { manual: "Start manual", timer: "Start timer", stop: "STOP" },
  stopKeys: "or press S or Esc",
  timerOf: (length) => `Start timer · ${length}`,
  length: "Length",
  minutes: "Minutes",
  seconds: "Seconds",
  badLength: "The timer takes whole minutes and seconds, from 1 s to 24 h.",
  sent: {
    manual: "Sent. Waiting for the gateway…",
    timer: "Sent. Waiting for the gateway…",
    stop: "Stop sent. Waiting for the gateway to confirm…",
  },
  sentAgain: "Sent again, not answered yet…",
  stopSentAgain: "Stop sent again, not confirmed yet. It is sent until it is. If in doubt, close the valve by hand.",
  times: (attempt) => `(${attempt} times)`,
  unconfirmedStops: (names) => `Stop not confirmed yet: ${names}. It is sent until it is.`,
  done: {
    manual: "Confirmed: manual has started.",
    timer: "Confirmed: the timer has started.",
    stop: "Confirmed: the water is stopped.",
  },
  reason: {
    timer_running: "Nothing changed: a timer is already running.",
    manual_has_priority: "Nothing changed: manual is running and has priority over the timer.",
    manual_running: "Nothing changed: manual is already running.",
    not_running: "Confirmed: no water is running.",
  },
  refused: "The gateway refused:",
  noAnswer: {
    manual: "No answer from the gateway: manual may have started, or may still. The state above tells.",
    timer: "No answer from the gateway: the timer may have started, or may still. The state above tells.",
    stop: "No answer from the gateway. It is not known whether the water has stopped: try again, or close the valve by hand.",
  },
  history: "History",
  noHistory: "No action yet.",
  historyFailed: "The history cannot be read.",
  showOlder: "Show older",
  downloadCsv: "Download CSV",
  csvFailed: "The history cannot be read. Try again.",
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
  listFailed: "La liste ne peut pas être lue. Nouvel essai…",
  howManyRun: (running, all) =>
    running === 0
      ? `L’eau ne coule nulle part (${all > 1 ? `${all} systèmes` : `${all} système`})`
      : `${running} ${running > 1 ? "systèmes" : "système"} sur ${all} en marche`,
  runningGroup: "En marche",
  waitingGroup: "En attente",
  search: "Chercher un système",
  nothingFound: "Aucun système trouvé.",
  pageOf: (page, pages) => `Page ${page} sur ${pages}`,
  previousPage: "Page précédente",
  nextPage: "Page suivante",
  stopAll: "Tout arrêter",
  stopAllQuestion: (running) =>
    running === 0 ? "Tout arrêter quand même\u00a0?" : "Arrêter tous les systèmes\u00a0?",
  stopAllHint: (running, all) =>
    running === 0
      ? "D’après ce qu’on sait, l’eau ne coule nulle part."
      : `${running} ${running > 1 ? "systèmes" : "système"} sur ${all} en marche.`,
  cancel: "Annuler",
  stopAllSent: (confirmed, all) =>
    `Arrêt envoyé à ${all}, confirmé pour ${confirmed}. Il est renvoyé jusqu’à ce que tout soit confirmé.`,
  stopAllDone: "Confirmé\u00a0: tout est arrêté.",
  stopAllRefused: (names) => `Arrêt refusé\u00a0: ${names}.`,
  loading: "Chargement…",
  backToList: "Tous les systèmes",
  missing: (id) => `Il n’y a pas de système «\u00a0${id}\u00a0» sur cette passerelle.`,
  connecting: "Connexion…",
  live: "En direct",
  late: "La passerelle se tait",
  noNews: (seconds) => `Silence depuis ${seconds} s`,
  stateOf: (seconds) => `État d’il y a ${seconds} s`,
  stateUnknown: "État inconnu",
  stateUnknownSince: (time) => `État inconnu depuis ${time}`,
  unknownHint:
    "La passerelle ne répond pas. Rien ne peut être lancé d’ici. L’ARRÊT est envoyé jusqu’à confirmation\u00a0; en cas de doute, fermez la vanne à la main.",
  storeAwayHint:
    "La passerelle répond, mais n’atteint pas sa base de données\u00a0: elle refuse les commandes tant que cela dure. L’ARRÊT est envoyé jusqu’à confirmation\u00a0; en cas de doute, fermez la vanne à la main.",
  joinFailed: "La passerelle ne nous laisse pas encore entrer\u00a0:",
  mode: { wait: "En attente", timer: "Minuterie", manual: "Manuel" },
  modeHint: {
    wait: "L’eau ne coule pas.",
    timer: "L’eau coule pour une durée fixée.",
    manual: "L’eau coule jusqu’à ce qu’on l’arrête.",
  },
  serverClock: "Horloge de la passerelle",
  clockNotSet:
    "L’horloge de la passerelle n’est pas réglée\u00a0: les dates affichées peuvent être fausses. Les durées sont justes.",
  lastKnown: "Dernier état connu\u00a0:",
  lastRun: "Dernier arrosage",
  remaining: "restant",
  running: "en cours",
  stopsByItself: "arrêt automatique dans",
  began: "Début",
  ends: "Fin",
  endsByHand: "non fixée",
  askedBy: "Par",
  commands: "Commandes",
  command: { manual: "Ouvrir en manuel", timer: "Lancer la minuterie", stop: "ARRÊT" },
  stopKeys: "ou touche S ou Échap",
  timerOf: (length) => `Lancer la minuterie · ${length}`,
  length: "Durée",
  minutes: "Minutes",
  seconds: "Secondes",
  badLength: "La minuterie prend des minutes et des secondes entières, de 1 s à 24 h.",
  sent: {
    manual: "Envoyé. En attente de la réponse…",
    timer: "Envoyé. En attente de la réponse…",
    stop: "Arrêt envoyé. En attente de la confirmation…",
  },
  sentAgain: "Renvoyé, pas encore de réponse…",
  stopSentAgain:
    "Arrêt renvoyé, pas encore confirmé. Il est renvoyé jusqu’à confirmation. En cas de doute, fermez la vanne à la main.",
  times: (attempt) => `(${attempt} fois)`,
  unconfirmedStops: (names) => `Arrêt pas encore confirmé\u00a0: ${names}. Il est renvoyé jusqu’à confirmation.`,
  done: {
    manual: "Confirmé\u00a0: le mode manuel est lancé.",
    timer: "Confirmé\u00a0: la minuterie est lancée.",
    stop: "Confirmé\u00a0: l’eau est arrêtée.",
  },
  reason: {
    timer_running: "Rien n’a changé\u00a0: une minuterie est déjà en cours.",
    manual_has_priority: "Rien n’a changé\u00a0: le mode manuel est en cours et a priorité sur la minuterie.",
    manual_running: "Rien n’a changé\u00a0: le mode manuel est déjà en cours.",
    not_running: "Confirmé\u00a0: l’eau ne coule pas.",
  },
  refused: "La passerelle a refusé\u00a0:",
  noAnswer: {
    manual: "Pas de réponse de la passerelle\u00a0: le mode manuel est peut-être lancé, ou le sera. L’état ci-dessus le dit.",
    timer: "Pas de réponse de la passerelle\u00a0: la minuterie est peut-être lancée, ou le sera. L’état ci-dessus le dit.",
    stop: "Pas de réponse de la passerelle. On ne sait pas si l’eau est arrêtée\u00a0: réessayez, ou fermez la vanne à la main.",
  },
  history: "Historique",
  noHistory: "Aucune action pour l’instant.",
  historyFailed: "L’historique ne peut pas être lu.",
  showOlder: "Voir les plus anciens",
  downloadCsv: "Télécharger en CSV",
  csvFailed: "L’historique ne peut pas être lu. Réessayez.",
  outcome: {
    completed: "terminé",
    stopped: "arrêté",
    replaced: "remplacé par le mode manuel",
    limited: "arrêté à la limite",
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
    endedBy: "fin demandée par",
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
