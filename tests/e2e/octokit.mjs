// What an agent's program does with the vendor's own SDK for Node.
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ auth: "x" });
await octokit.rest.issues.create({ owner: "octo", repo: "hello", title: "It is broken" });
await octokit.rest.repos.get({ owner: "octo", repo: "hello" });
