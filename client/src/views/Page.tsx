// The frame of every page: the name of the program, the choice of language, the content.
// Never knows what the content is.
import type { ComponentChildren } from "preact";
import { language, speak, texts } from "../language";
import { LANGUAGES, TEXTS } from "../texts";

export function Page({ children }: { children: ComponentChildren }) {
  return (
    <>
      <header class="bar">
        <a class="brand" href="/">
          acequia
        </a>
        <LanguageSwitch />
      </header>
      <main>{children}</main>
    </>
  );
}

function LanguageSwitch() {
  return (
    <div class="languages" role="group" aria-label={texts.value.languageChoice}>
      {LANGUAGES.map((each) => (
        <button
          key={each}
          type="button"
          lang={each}
          aria-label={TEXTS[each].languageName}
          aria-pressed={language.value === each}
          onClick={() => {
            speak(each);
          }}
        >
          {each.toUpperCase()}
        </button>
      ))}
    </div>
  );
}
