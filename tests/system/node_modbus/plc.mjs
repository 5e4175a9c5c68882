// A PLC in JavaScript: one part through both loops of the neutral map. Arguments: PORT PART_ID
import net from "node:net";
import modbus from "jsmodbus";

const [port, partId] = process.argv.slice(2).map(Number);
const TRIGGER_ENABLE = 1, TRIGGER = 2, RESULTS_ACK = 4;
const TRIGGER_READY = 1 << 1, TRIGGER_ACK = 1 << 2, RESULTS_VALID = 1 << 6;
const STATUS_AT = 64, STATUS_WORDS = 46;

const socket = new net.Socket();
const client = new modbus.client.TCP(socket, 1, 5000);
let beat = 0;

async function write(control) {
  beat = (beat + 1) & 0xffff;
  await client.writeMultipleRegisters(0, [control, beat, 0, 0, partId >>> 16, partId & 0xffff]);
}

async function until(control, condition) {
  for (let poll = 0; poll < 4000; poll++) {
    await write(control);
    const words = (await client.readHoldingRegisters(STATUS_AT, STATUS_WORDS)).response.body.valuesAsArray;
    if (condition(words[0])) return words;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error("the bridge did not answer in time");
}

async function run() {
  await until(TRIGGER_ENABLE, (status) => status & TRIGGER_READY);
  const acked = await until(TRIGGER_ENABLE | TRIGGER, (status) => status & TRIGGER_ACK);
  await until(TRIGGER_ENABLE, (status) => !(status & TRIGGER_ACK));
  const result = await until(TRIGGER_ENABLE, (status) => status & RESULTS_VALID);
  await until(TRIGGER_ENABLE | RESULTS_ACK, (status) => !(status & RESULTS_VALID));
  await write(TRIGGER_ENABLE);
  console.log(JSON.stringify({
    acquisition_id: acked[2],
    result_acquisition_id: result[3],
    result_part_id: result[4] * 0x10000 + result[5],
    verdict: result[6],
  }));
}

socket.on("connect", () => run().then(() => socket.end(), (error) => { console.error(error); process.exit(1); }));
socket.on("error", (error) => { console.error(error); process.exit(1); });
socket.connect({ host: "127.0.0.1", port });
