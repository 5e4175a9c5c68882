// Follows a station's verdicts as the named reader READER, acknowledges each message, and prints one JSON line per verdict.
// Ends after COUNT verdicts. Written from the .proto alone.
//
//   node client.mjs ADDRESS READER COUNT PROTO_ROOT

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const [address, reader, count, protoRoot] = process.argv.slice(2);
const definition = protoLoader.loadSync("lineside/wire/v1/inspection.proto", {
  includeDirs: [protoRoot],
  keepCase: true, // names as in the .proto
  longs: Number, // sequence numbers stay far below 2^53
  enums: String,
  defaults: true,
  oneofs: true,
});
const { Inspection } = grpc.loadPackageDefinition(definition).lineside.wire.v1;
const station = new Inspection(address, grpc.credentials.createInsecure());

let left = Number(count);
const stream = station.StreamVerdicts({ reader });

stream.on("data", (message) => {
  const verdicts = message.verdicts.slice(0, left);
  for (const verdict of verdicts) {
    const { sequence, part_id, outcome, defects } = verdict;
    console.log(JSON.stringify({ sequence, part_id, outcome, defects: defects.map((defect) => defect.class_name) }));
  }
  left -= verdicts.length;
  if (verdicts.length === 0) return; // a heartbeat
  station.AcknowledgeVerdicts({ reader, sequence: verdicts.at(-1).sequence }, (error) => {
    if (error) throw error;
    if (left === 0) stream.cancel();
  });
});
stream.on("error", (error) => {
  station.close();
  if (left > 0 || error.code !== grpc.status.CANCELLED) {
    console.error(error.message);
    process.exitCode = 1;
  }
});
