import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Certificate {
  /** The certificate, in PEM: it is its own authority. */
  readonly pem: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A self-signed certificate for loopback, made by `openssl` in the folder. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const certFile = join(folder, "server.crt");
  const keyFile = join(folder, "server.key");
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1"],
    ...["-keyout", keyFile, "-out", certFile],
  ]);
  return { pem: await readFile(certFile, "utf8"), certFile, keyFile };
}
