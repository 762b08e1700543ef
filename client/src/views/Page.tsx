// The frame of every page: the name of the program, the choice of language, the content.
// Never knows what the content is.
import type { ComponentChildren } from "preact";
import { language, speak, texts } from "../language";
import { LANGUAGES, TEXTS } from "../texts";

/** `isRoot`: there is nothing above this page to go back to. */
export function Page({ isRoot, children }: { isRoot: boolean; children: ComponentChildren }) {
  return (
    <>
      <header class="bar">
        {isRoot ? (
          <span class="brand">acequia</span>
        ) : (
          <nav>
            <a class="back" href="/">
              <span aria-hidden="true">‹ </span>
              {texts.value.backToList}
            </a>
          </nav>
        )}
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
          aria-pressed={language.value === each}
          onClick={() => {
            speak(each);
          }}
        >
          {each.toUpperCase()} <span class="hidden">{TEXTS[each].languageName}</span>
        </button>
      ))}
    </div>
  );
}
