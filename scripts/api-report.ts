import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Extractor, ExtractorConfig, ExtractorLogLevel } from "@microsoft/api-extractor";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Everything a user can import, as one text. It is made from `dist`: build first. */
export async function apiReport(): Promise<string> {
  // API Extractor writes files and compares them itself. Here it only has to make the text.
  const folder = await mkdtemp(path.join(tmpdir(), "poolscope-api-"));
  try {
    const { succeeded } = Extractor.invoke(extractorConfig(folder), {
      localBuild: true,
      messageCallback(message) {
        message.handled = message.logLevel !== ExtractorLogLevel.Error;
      },
    });
    if (!succeeded) throw new Error("API Extractor found errors in dist/index.d.ts");
    return await readFile(path.join(folder, "poolscope.api.md"), "utf8");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function extractorConfig(folder: string): ExtractorConfig {
  const off = { logLevel: ExtractorLogLevel.None };
  const compilerOptions = { target: "es2022", module: "nodenext", types: ["node"], strict: true };
  return ExtractorConfig.prepare({
    packageJsonFullPath: path.join(root, "package.json"),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: path.join(root, "dist", "index.d.ts"),
      newlineKind: "lf",
      compiler: { overrideTsconfig: { compilerOptions, files: ["dist/index.d.ts"] } },
      apiReport: {
        enabled: true,
        reportFileName: "poolscope",
        reportFolder: folder,
        reportTempFolder: folder,
      },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: {
          // What is left, such as a type that is used and not exported, stands in the report.
          default: { logLevel: ExtractorLogLevel.Warning, addToApiReportFile: true },
          "ae-missing-release-tag": off,
          "ae-undocumented": off,
          // It does not know links to members of the same type, which editors do.
          "ae-unresolved-link": off,
        },
      },
    },
  });
}
