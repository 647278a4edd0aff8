/** The page `/`: questions, and how many were answered right. */

import "./ask_first.js";

const score = document.querySelector("#score");
const questions = document.querySelectorAll("ask-first").length;
const answers = [];

addEventListener("answered", (/** @type {CustomEvent} */ { detail: isRight }) => {
  answers.push(isRight);
  score.textContent = `${answers.filter(Boolean).length} of ${answers.length} guessed right; there are ${questions} questions.`;
});
