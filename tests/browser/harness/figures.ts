// Figures that a run has measured, into its report and onto the screen. Never judges them.
import { test } from "@playwright/test";

export function figure(what: string, value: string): void {
  test.info().annotations.push({ type: what, description: value });
  console.log(`    ${what}: ${value}`);
}

export function ms(value: number): string {
  return `${Math.round(value)} ms`;
}
