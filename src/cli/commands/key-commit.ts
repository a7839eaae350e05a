/** @file wildmark key commit: a hash to publish, so that a key cannot be said to be made up afterwards. */

import { z } from "zod";
import { commitToKey } from "../../ownership/commitment.js";
import { decodeKey, readKeyBytes } from "../../ownership/key-file.js";
import { type CommandFile, defineCommand } from "../command.js";

export const command: CommandFile = () =>
  defineCommand({
    name: "key commit",
    description:
      "Prints a hash of a key to publish, and the salt that opens it later: wildmark verify --commitment " +
      "--salt. Every " +
      "run draws another salt. Where and when the hash was published is what proves the date.",
    arguments: [{ name: "KEY", description: "the owner's key" }],
    flags: z.object({}),
    examples: [
      ["wildmark key commit mark.safetensors", ""],
      ["wildmark key commit mark.safetensors --json > mark.commitment.json", "keep both in a file, with the key"],
    ],
    async run({ args: [path = ""] }) {
      const bytes = await readKeyBytes(path);
      const key = decodeKey(bytes, path);
      const { commitment, salt } = commitToKey(bytes);
      return {
        document: { command: "key commit", key: path, commitment, salt },
        text: [
          `commitment ${commitment}`,
          `salt       ${salt}`,
          "Publish the commitment where its date can be proved. Keep the salt secret, with the key: it is " +
            "stored nowhere else,",
          "and without it, or with a key file changed by one byte, the commitment proves nothing.",
          ...(key.drawn === undefined
            ? []
            : [`Single triggers can be opened later, the rest stays secret: wildmark key open ${path} --salt …`]),
          `To use it: wildmark verify SUSPECT.onnx --key ${path} --commitment … --salt …`,
        ].join("\n"),
      };
    },
  });
