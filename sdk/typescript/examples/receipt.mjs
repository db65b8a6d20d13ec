// Checks a receipt without a hub: node examples/receipt.mjs < receipt.json
import { text } from "node:stream/consumers";
import { verifyReceipt } from "@hiloop/sdk";

const { answeredBy, question, answer } = await verifyReceipt(JSON.parse(await text(process.stdin)));
console.log(`${answeredBy.id} (key ${answeredBy.keyId}) answered ${JSON.stringify(answer.content)} at ${answer.answeredAt}`);
console.log(`to ${JSON.stringify(question.content)} ${JSON.stringify(question.components)}`);
