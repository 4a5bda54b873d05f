/**
 * The public surface as one text: every declaration that a program can name, and those that these mention, without
 * comments. test/api/hostbrick.api.md is that text as it was last agreed to; `npm run api` writes it anew.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = `${root}dist/index.d.ts`
const agreed = `${root}test/api/hostbrick.api.md`

const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, types: ['node'], noEmit: true })
const checker = program.getTypeChecker()
const printer = ts.createPrinter({ removeComments: true })

function report(): string {
  const named = new Map(publicSymbols().map((symbol) => [symbol, symbol.name]))
  const mentioned = mentionedBy(named)
  return `# The public surface of hostbrick

\`npm run api\` writes this file; CI fails when the surface is not what it says.

## Exported

${listed(named)}

## Mentioned by what is exported, without a name outside

${listed(mentioned)}
`
}

function publicSymbols(): ts.Symbol[] {
  const source = program.getSourceFile(entry)
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${entry} is missing: npm run build:ts makes it`)
  return checker.getExportsOfModule(module).map(aliased)
}

function aliased(symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

/** The package's own types that these declarations lead to and that are not among them. */
function mentionedBy(named: ReadonlyMap<ts.Symbol, string>): Map<ts.Symbol, string> {
  const found = new Map<ts.Symbol, string>()
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const symbol = checker.getSymbolAtLocation(node)
      if (symbol) enter(aliased(symbol))
    }
    ts.forEachChild(node, visit)
  }
  const enter = (symbol: ts.Symbol): void => {
    if (named.has(symbol) || found.has(symbol) || !declarationsOf(symbol).some(isTopLevel)) return
    found.set(symbol, symbol.name)
    declarationsOf(symbol).forEach(visit)
  }
  for (const symbol of named.keys()) declarationsOf(symbol).forEach(visit)
  return found
}

function declarationsOf(symbol: ts.Symbol): readonly ts.Declaration[] {
  return (symbol.declarations ?? []).filter((node) => node.getSourceFile().fileName.startsWith(`${root}dist/`))
}

/** Not a member, a parameter or a whole file. */
function isTopLevel(node: ts.Declaration): boolean {
  return !ts.isSourceFile(node) && ts.isSourceFile(statementOf(node).parent)
}

/** The statement that declares it: a variable is declared two levels deeper. */
function statementOf(node: ts.Declaration): ts.Node {
  return ts.isVariableDeclaration(node) ? node.parent.parent : node
}

function listed(symbols: ReadonlyMap<ts.Symbol, string>): string {
  return [...symbols]
    .sort(([, one], [, other]) => one.localeCompare(other, 'en'))
    .map(([symbol]) => `\`\`\`ts\n${declarationsOf(symbol).map(printed).join('\n')}\n\`\`\``)
    .join('\n\n')
}

function printed(node: ts.Declaration): string {
  return printer
    .printNode(ts.EmitHint.Unspecified, statementOf(node), node.getSourceFile())
    .replaceAll(/^( *)(?:declare |export )+/gm, '$1')
}

const text = report()
if (!argv.includes('--check')) {
  writeFileSync(agreed, text)
} else if (readFileSync(agreed, 'utf8') !== text) {
  console.error('The public surface has changed: run npm run api, and say so in CHANGELOG.md')
  process.exitCode = 1
}
