/**
 * Finds promises in src that nothing handles: one that rejects ends the application's process.
 *
 * The types are TypeScript's own. Biome's `noFloatingPromises` takes `void` for a handler, and sees neither promises of
 * `node:` modules nor async functions that are given to timers and emitters.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Expression,
  isArrowFunction,
  isBinaryExpression,
  isCallExpression,
  isConditionalExpression,
  isExpressionStatement,
  isFunctionExpression,
  isNewExpression,
  isParenthesizedExpression,
  isPropertyAccessExpression,
  isVoidExpression,
  type Node,
  type SourceFile,
  SyntaxKind,
} from "typescript/unstable/ast";
import { API, type Checker, SignatureKind, type Type, TypeFlags } from "typescript/unstable/sync";

export interface FloatingPromise {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

const DISCARDED = "a promise is discarded: await it, or end it in detach()";
const MISUSED = "an async function is given where nothing awaits its promise: call it in detach()";

/** Looks through the files of a project that are in `folder`. */
export function floatingPromises(tsconfig: string, folder: string): FloatingPromise[] {
  const api = new API({ cwd: path.dirname(tsconfig) });
  try {
    const [project] = api.updateSnapshot({ openProjects: [tsconfig] }).getProjects();
    if (!project) throw new Error(`there is no project at ${tsconfig}`);
    const { program, checker } = project;
    return program
      .getSourceFileNames()
      .filter((name) => name.startsWith(`${folder}${path.sep}`))
      .flatMap((name) => inFile(program.getSourceFile(name), checker));
  } finally {
    api.close();
  }
}

function inFile(file: SourceFile | undefined, checker: Checker): FloatingPromise[] {
  if (!file) return [];
  const found: FloatingPromise[] = [];
  const report = (node: Node, problem: string) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
    found.push({ file: file.fileName, line: line + 1, problem });
  };
  const visit = (node: Node): void => {
    for (const discarded of discardedBy(node)) {
      if (!isHandled(discarded) && isPromise(checker, checker.getTypeAtLocation(discarded))) {
        report(discarded, DISCARDED);
      }
    }
    for (const value of givenFunctions(node)) {
      if (returnsPromise(checker, value) && isForVoid(checker, value)) report(value, MISUSED);
    }
    node.forEachChild(visit);
  };
  visit(file);
  return found;
}

/** The expressions whose value is dropped at this node: by a statement, or by `void` wherever it stands. */
function discardedBy(node: Node): Expression[] {
  return isExpressionStatement(node) || isVoidExpression(node) ? valuesOf(node.expression) : [];
}

/** Where the value of an expression comes from. What is assigned is kept, and `void` looks at its own. */
function valuesOf(expression: Expression): Expression[] {
  if (isVoidExpression(expression)) return [];
  if (isParenthesizedExpression(expression)) return valuesOf(expression.expression);
  if (isConditionalExpression(expression)) {
    return [...valuesOf(expression.whenTrue), ...valuesOf(expression.whenFalse)];
  }
  if (!isBinaryExpression(expression)) return [expression];
  const { left, operatorToken, right } = expression;
  switch (operatorToken.kind) {
    case SyntaxKind.CommaToken:
      return [...valuesOf(left), ...valuesOf(right)];
    case SyntaxKind.AmpersandAmpersandToken:
    case SyntaxKind.BarBarToken:
    case SyntaxKind.QuestionQuestionToken:
      return valuesOf(right);
    default:
      return [];
  }
}

/** `.catch(handler)` and `.then(one, other)`. */
function isHandled(expression: Expression): boolean {
  if (!isCallExpression(expression) || !isPropertyAccessExpression(expression.expression)) return false;
  const { text } = expression.expression.name;
  const given = expression.arguments.length;
  return (text === "catch" && given === 1) || (text === "then" && given === 2);
}

/** What of a node may be a function that others call: arguments, and functions wherever they are written. */
function givenFunctions(node: Node): readonly Expression[] {
  if (isArrowFunction(node) || isFunctionExpression(node)) return [node];
  if (!isCallExpression(node) && !isNewExpression(node)) return [];
  return (node.arguments ?? []).filter(
    (argument) => !isArrowFunction(argument) && !isFunctionExpression(argument),
  );
}

function returnsPromise(checker: Checker, value: Expression): boolean {
  return signaturesOf(checker, checker.getTypeAtLocation(value)).some((signature) =>
    isPromise(checker, checker.getReturnTypeOfSignature(signature)),
  );
}

/** Whether all that a function is expected to return here is nothing. */
function isForVoid(checker: Checker, value: Expression): boolean {
  const returned = signaturesOf(checker, checker.getContextualType(value)).map((signature) =>
    checker.getReturnTypeOfSignature(signature),
  );
  return returned.length > 0 && returned.every((type) => type && (type.flags & TypeFlags.Void) !== 0);
}

function signaturesOf(checker: Checker, type: Type | undefined) {
  return membersOf(type).flatMap((member) =>
    member.isObjectType() || member.isIntersectionType()
      ? checker.getSignaturesOfType(member, SignatureKind.Call)
      : [],
  );
}

function isPromise(checker: Checker, type: Type | undefined): boolean {
  return membersOf(type).some(
    (member) =>
      (member.flags & (TypeFlags.Any | TypeFlags.Unknown)) === 0 &&
      checker.getPropertyOfType(member, "then") !== undefined,
  );
}

function membersOf(type: Type | undefined): readonly Type[] {
  if (!type) return [];
  return type.isUnionType() ? (type.getTypes() ?? []) : [type];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const found = floatingPromises(path.join(root, "tsconfig.json"), path.join(root, "src"));
  for (const { file, line, problem } of found) {
    console.error(`${path.relative(root, file)}:${line} - ${problem}`);
  }
  if (found.length > 0) process.exitCode = 1;
}
