// SPDX-License-Identifier: Apache-2.0
//
// Conversations in this browser's IndexedDB; in memory alone where that is switched off. Nothing leaves the machine.
// Several tabs may work with them: what is kept and what a tab has become one when it writes, and the others are told.
import { merge, type Conversation } from "./conversation";

const kStore = "conversations";

/** What another tab did. */
export interface Elsewhere {
  id: string;
  isRemoved: boolean;
}

export class ConversationStore {
  private readonly channel = "BroadcastChannel" in window ? new BroadcastChannel("glint.conversations") : null;

  private constructor(private readonly database: IDBDatabase | null) {}

  static async open(): Promise<ConversationStore> {
    try {
      const opening = indexedDB.open("glint", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(kStore, { keyPath: "id" });
      return new ConversationStore(await done(opening));
    } catch {
      return new ConversationStore(null);
    }
  }

  /** False: all is forgotten when the page is closed. */
  get isLasting(): boolean {
    return this.database !== null;
  }

  listen(listener: (what: Elsewhere) => void): void {
    this.channel?.addEventListener("message", (event) => listener(event.data as Elsewhere));
  }

  async all(): Promise<Conversation[]> {
    if (!this.database) return [];
    return (await done(this.store("readonly").getAll())) as Conversation[];
  }

  async get(id: string): Promise<Conversation | undefined> {
    return this.database ? ((await done(this.store("readonly").get(id))) as Conversation | undefined) : undefined;
  }

  /** Takes over what other tabs added. True: there was something. */
  async put(conversation: Conversation): Promise<boolean> {
    if (!this.database) return false;
    const store = this.store("readwrite"); // nobody else writes until this is over
    const kept = (await done(store.get(conversation.id))) as Conversation | undefined;
    const hasMore = kept !== undefined && merge(conversation, kept, "mine");
    await done(store.put(conversation));
    this.tell({ id: conversation.id, isRemoved: false });
    return hasMore;
  }

  async remove(id: string): Promise<void> {
    if (!this.database) return;
    await done(this.store("readwrite").delete(id));
    this.tell({ id, isRemoved: true });
  }

  private tell(what: Elsewhere): void {
    this.channel?.postMessage(what);
  }
  private store(mode: IDBTransactionMode): IDBObjectStore {
    return this.database!.transaction(kStore, mode).objectStore(kStore);
  }
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
