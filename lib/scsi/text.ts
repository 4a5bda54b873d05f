/** SPC says ASCII or UTF-8; latin1 keeps devices apart that send neither. */
export function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}

/** Loops, because a regular expression takes quadratic time on the blanks of a hostile serial number. */
export function trim(text: string): string {
  let start = 0
  while (isPadding(text[start])) start++
  return trimEnd(text.slice(start))
}

export function trimEnd(text: string): string {
  let end = text.length
  while (isPadding(text[end - 1])) end--
  return text.slice(0, end)
}

export function isPadding(char: string | undefined): boolean {
  return char === ' ' || char === '\0'
}

export function beforeNul(text: string): string {
  return text.split('\0', 1)[0] ?? ''
}

/** Without blanks around it, and with one underscore for each run of blanks in it. */
export function foldBlanks(text: string): string {
  return text.replace(/^[ \t-\r]+|[ \t-\r]+$/g, '').replace(/[ \t-\r]+/g, '_')
}
