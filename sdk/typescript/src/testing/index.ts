// For tests and bots: a person who answers.
export { type AnswerInput, type PendingQuestion, Person, type PersonOptions } from "./person.js";
