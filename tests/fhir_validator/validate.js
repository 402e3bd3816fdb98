// Reads FHIR resources as NDJSON and prints, for each, what is wrong with it as a JSON list.
const readline = require("readline");
const { Fhir } = require("fhir");

const fhir = new Fhir();
// A code outside of a value set that is only an example is no fault.
const isFault = ({ severity, message }) =>
  severity === "error" || (severity === "warning" && !/not found in value set$/.test(message));

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const faults = fhir.validate(JSON.parse(line)).messages.filter(isFault);
  console.log(JSON.stringify(faults.map(({ location, message }) => `${location}: ${message}`)));
});
