/**
 * The frames in a stream of bytes, until it ends; one that is cut off there is none.
 *
 * @param lengthOf the length of the frame that begins here; of its header as long as that is not there whole
 */
export async function* readFrames(
  chunks: AsyncIterable<Buffer>,
  lengthOf: (bytes: Buffer) => number,
): AsyncGenerator<Buffer, void> {
  let received = Buffer.alloc(0)
  for await (const chunk of chunks) {
    received = Buffer.concat([received, chunk])
    for (let length = lengthOf(received); received.length >= length; length = lengthOf(received)) {
      yield received.subarray(0, length)
      received = received.subarray(length)
    }
  }
}
