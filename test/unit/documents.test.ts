import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import ts from 'typescript'
import { exitStatuses } from '../../lib/bin/exit-status.ts'
import { errorCodes } from '../../lib/index.ts'
import { codeBlocks, documents, given, placeOf } from '../lab/documents.ts'
import type { CodeBlock } from '../lab/documents.ts'

const root = resolve(import.meta.dirname, '../..')
const blocks = documents(root).flatMap((document) => codeBlocks(root, document))
const limit = { timeout: 300_000 }

/** What the compiler has against these files, which are there only for it. */
function complaints(files: ReadonlyMap<string, string>): string[] {
  const config = join(root, 'test/tsconfig.json')
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, (path) => readFileSync(path, 'utf8')).config,
    ts.sys,
    join(root, 'test'),
  )
  const strict: ts.CompilerOptions = { ...options, noUnusedLocals: false, noEmit: true }
  const host = ts.createCompilerHost(strict)
  host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path)
  host.readFile = (path) => files.get(path) ?? ts.sys.readFile(path)
  const program = ts.createProgram([...files.keys()], strict, host)
  return ts.getPreEmitDiagnostics(program).map((each) => {
    const place =
      each.file && `${each.file.fileName}:${each.file.getLineAndCharacterOfPosition(each.start ?? 0).line + 1}`
    return `${place ?? ''} ${ts.flattenDiagnosticMessageText(each.messageText, '\n')}`
  })
}

describe('the documents', limit, () => {
  it('have examples in TypeScript that compile', () => {
    const examples = blocks.filter(({ language }) => language === 'ts')
    // As modules, each of its own, beside the document.
    const files = new Map(
      examples.map((each) => [join(root, `${placeOf(each).replace(/[:.]/g, '-')}.ts`), `${each.code}\nexport {}\n`]),
    )
    files.set(join(root, 'given.d.ts'), given)
    assert.ok(examples.length > 10, 'hardly any examples are found')
    assert.deepEqual(complaints(files), [])
  })

  it('have no code that no test looks at', () => {
    const known: Record<string, string[]> = {
      ...{ ts: ['', 'compiled'], sh: ['', 'elsewhere', 'container'], python: [''], json: [''] },
      // Settings of other programs.
      ...{ text: [''], yaml: [''] },
    }
    for (const each of blocks) {
      assert.ok(known[each.language]?.includes(each.mark), `${placeOf(each)} is ${each.language} ${each.mark}`)
      if (each.language === 'json') assert.doesNotThrow(() => JSON.parse(each.code) as unknown, placeOf(each))
    }
  })

  it('have commands that CI runs, where they are not run in the lab', () => {
    const elsewhere = blocks.filter(({ mark }) => mark === 'elsewhere').flatMap(commandsOf)
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    for (const command of elsewhere) {
      const [, script] = /^npm (?:run )?([\w:]+)/.exec(command) ?? []
      assert.ok(['install', 'pack'].includes(script ?? '') || (script !== undefined && script in scripts), command)
    }
  })

  it('tell of every error code, and of every exit status', () => {
    const troubles = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8')
    for (const code of Object.keys(errorCodes)) {
      assert.ok(troubles.includes(`\n## \`${code}\`\n`), code)
      assert.ok(troubles.includes(`[\`${code}\`](#${code.toLowerCase()})`), code)
    }
    const rows = tableRows(readFileSync(join(root, 'docs/command-line.md'), 'utf8'))
    const told = exitStatuses.map(({ status, means, codes }) => [
      String(status),
      means,
      codes.map((code) => `\`${code}\``).join(', '),
    ])
    assert.deepEqual(
      rows.filter(([status = '']) => /^\d+$/.test(status)),
      told,
    )
  })

  it('have links that lead somewhere', () => {
    for (const document of documents(root)) {
      const text = readFileSync(join(root, document), 'utf8').replace(/^```.*?^```$/gms, '')
      for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue
        const [path = '', anchor] = target.split('#')
        const file = path === '' ? document : join(dirname(document), path)
        assert.ok(existsSync(join(root, file)), `${document}: ${target}`)
        if (anchor !== undefined) assert.ok(anchorsOf(file).includes(anchor), `${document}: ${target}`)
      }
    }
  })
})

function commandsOf({ code }: CodeBlock): string[] {
  return code
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
}

function tableRows(text: string): string[][] {
  return [...text.matchAll(/^\|(.*)\|$/gm)].map(([, row = '']) => row.split('|').map((cell) => cell.trim()))
}

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  return [...readFileSync(join(root, file), 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
