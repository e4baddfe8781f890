import { Socket } from "node:net";

const outside = [];
const { connect } = Socket.prototype;

/** Refuses every connection that would leave the machine, and keeps its address. */
Socket.prototype.connect = function (...args) {
  // Node's own callers pass their arguments as one normalized array.
  const [first] = Array.isArray(args[0]) ? args[0] : args;
  const host = typeof first === "object" ? (first.path ?? first.host ?? "localhost") : "localhost";
  if (!/^(\/|127\.|::1$|localhost$)/.test(host)) {
    outside.push(host);
    throw new Error(`a connection to ${host} would leave the machine`);
  }
  return Reflect.apply(connect, this, args);
};

/** Hosts that something tried to connect to, other than this one. */
export const hostsOutside = outside;
