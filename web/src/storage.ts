// SPDX-License-Identifier: Apache-2.0
//
// Conversations in this browser's IndexedDB; in memory alone where that is switched off. Nothing leaves the machine.
import type { Conversation } from "./conversation";

const kStore = "conversations";

export class ConversationStore {
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

  async all(): Promise<Conversation[]> {
    if (!this.database) return [];
    return (await done(this.store("readonly").getAll())) as Conversation[];
  }

  async put(conversation: Conversation): Promise<void> {
    if (this.database) await done(this.store("readwrite").put(conversation));
  }

  async remove(id: string): Promise<void> {
    if (this.database) await done(this.store("readwrite").delete(id));
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
