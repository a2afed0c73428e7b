// SPDX-License-Identifier: Apache-2.0
//
// What the page knows and can do: conversations, which is shown, which answers are being written. Views call its
// methods and listen for what changed; it knows no elements.
import { ApiError, fetchModels, fetchProperties, type Model, type Properties } from "./api";
import { runAnswer, type AnswerRun, type Progress } from "./answer";
import { addMessage, merge, newConversation, shownPath, kRoot, type Attachment, type Conversation, type Message } from "./conversation";
import { ConversationStore } from "./storage";
import { SettingsError, type FieldName } from "./settings";

/** conversation: another is shown, or its messages changed; list: titles and order; progress: an answer grew;
    settings: of the shown conversation; elsewhere: another tab changed the shown conversation; server: properties, or that they cannot be had; key: the server wants one;
    unkept: the browser did not store a conversation. */
export type Change = "conversation" | "list" | "progress" | "settings" | "elsewhere" | "server" | "key" | "field-fault" | "unkept";

const kReconnectMs = 1500;
const kKeepMs = 2000; // an answer that grows is kept so often, in case the page is closed

export interface Run extends AnswerRun {
  progress: Progress;
}

export class App {
  conversations: Conversation[] = [];
  current: Conversation = newConversation();
  server: Properties | null = null;
  models: Model[] = [];
  serverFault = "";
  fieldFault: { field: FieldName; text: string } | null = null;
  private reconnecting = 0;
  private readonly runs = new Map<string, Run>();
  private readonly listeners = new Map<Change, (() => void)[]>();

  private constructor(readonly store: ConversationStore) {}

  static async start(): Promise<App> {
    const app = new App(await ConversationStore.open());
    app.conversations = await app.store.all();
    for (const conversation of app.conversations) {
      // The page was closed while these were being written.
      for (const message of conversation.messages) if (message.role === "assistant") message.ending ??= "stopped";
    }
    app.sort();
    app.store.listen(({ id, isRemoved }) => void (isRemoved ? app.removedElsewhere(id) : app.changedElsewhere(id)));
    app.current = newConversation(app.conversations[0]?.settings);
    return app;
  }

  on(change: Change, listener: () => void): void {
    this.listeners.set(change, [...(this.listeners.get(change) ?? []), listener]);
  }
  changed(...changes: Change[]): void {
    for (const change of changes) for (const listener of this.listeners.get(change) ?? []) listener();
  }

  /** The answer that is being written into the shown conversation. */
  get run(): Run | undefined {
    return this.runs.get(this.current.id);
  }
  isWriting(conversation: Conversation): boolean {
    return this.runs.has(conversation.id);
  }

  /** Asks until the model is loaded. */
  async connect(): Promise<void> {
    window.clearTimeout(this.reconnecting);
    try {
      this.models = await fetchModels();
      const { settings } = this.current;
      if (!this.models.some(({ name }) => name === settings.model)) settings.model = ""; // of another server
      this.server = await fetchProperties(settings.model);
      this.serverFault = "";
    } catch (error) {
      this.server = null;
      const status = error instanceof ApiError ? error.status : -1;
      if (status === 401) this.changed("key");
      this.serverFault = status === 401 ? "The server wants an API key" : status === 503 ? "The model is being loaded…" : "The server cannot be reached";
      if (status !== 401) this.reconnecting = window.setTimeout(() => void this.connect(), kReconnectMs);
    }
    this.changed("server");
  }

  newChat(): void {
    // An empty one is as good as new.
    if (this.current.messages.length) this.current = newConversation(this.current.settings);
    this.changed("conversation", "list", "settings");
  }

  open(conversation: Conversation): void {
    const isOtherModel = conversation.settings.model !== this.current.settings.model;
    this.current = conversation;
    this.fieldFault = null;
    this.changed("conversation", "list", "settings");
    if (isOtherModel) void this.connect();
  }

  chooseModel(name: string): void {
    this.current.settings.model = name;
    this.settingsChanged();
    void this.connect();
  }

  rename(conversation: Conversation, title: string): void {
    if (!title.trim()) return;
    conversation.title = title.trim();
    conversation.isNamed = true;
    this.save(conversation);
    this.changed("list", "conversation");
  }

  /** Gives back what brings it back. */
  remove(conversation: Conversation): () => void {
    this.runs.get(conversation.id)?.stop();
    this.conversations = this.conversations.filter((other) => other !== conversation);
    void this.store.remove(conversation.id);
    if (this.current === conversation) this.current = newConversation(conversation.settings);
    this.changed("conversation", "list", "settings");
    return () => {
      this.save(conversation);
      this.changed("list");
    };
  }

  add(conversations: Conversation[]): void {
    for (const conversation of conversations) this.save(conversation);
    if (conversations[0]) this.open(conversations[0]);
  }

  send(text: string, attachments: Attachment[]): void {
    const last = shownPath(this.current).pop();
    this.ask(last?.id ?? kRoot, text, attachments);
  }
  /** The new text becomes a further version of the message. */
  resend(message: Message, text: string): void {
    this.ask(message.parent, text, message.attachments ?? []);
  }
  private ask(parent: string, text: string, attachments: Attachment[]): void {
    if (this.run) return;
    const question = addMessage(this.current, parent, "user", text, attachments.length ? { attachments } : {});
    this.answer(question.id);
  }
  /** A further version of an answer. */
  retry(message: Message): void {
    if (!this.run) this.answer(message.parent);
  }
  /** Hands the results of a message's calls to the model. */
  answerCalls(message: Message, results: string[]): void {
    if (this.run) return;
    let parent = message.id;
    (message.calls ?? []).forEach((call, i) => {
      parent = addMessage(this.current, parent, "tool", results[i] ?? "", { callId: call.id }).id;
    });
    this.answer(parent);
  }

  /** Goes on with an answer that was cut off. */
  continue(message: Message): void {
    if (this.run) return;
    delete message.ending;
    this.write(message, true);
  }

  private answer(parent: string): void {
    this.write(addMessage(this.current, parent, "assistant", ""), false);
  }

  private write(message: Message, isContinued: boolean): void {
    const conversation = this.current;
    this.setFieldFault(null);
    const progress: Progress = { firstTokenMs: 0, tokens: 0, tokensPerSecond: 0 };
    let kept = performance.now();
    const answer = runAnswer(conversation, message, isContinued, (now) => {
      Object.assign(progress, now);
      if (performance.now() - kept > kKeepMs && this.conversations.includes(conversation)) {
        kept = performance.now();
        this.keep(conversation);
      }
      this.changed("progress");
    });
    this.runs.set(conversation.id, { ...answer, progress });
    this.save(conversation);
    void answer.finished.then((error) => {
      this.runs.delete(conversation.id);
      if (error instanceof ApiError && error.status === 401) this.changed("key");
      else if (this.server?.isSleeping) void this.connect(); // now it is loaded
      this.blameField(conversation, error);
      if (this.conversations.includes(conversation)) this.save(conversation);
      this.changed("conversation", "list");
    });
    this.changed("conversation", "list");
  }

  /** Shows a fault of the schema or the tools where they are entered. */
  private blameField(conversation: Conversation, error: unknown): void {
    if (conversation !== this.current) return;
    if (error instanceof SettingsError) {
      this.setFieldFault({ field: error.field, text: error.message });
    } else if (error instanceof ApiError && error.status === 400 && error.reason !== "exceed_context_size_error") {
      const { schema, tools } = conversation.settings;
      if (schema.trim() && /schema|response_format/i.test(error.message)) this.setFieldFault({ field: "schema", text: error.message });
      else if (tools.trim() && /tool/i.test(error.message)) this.setFieldFault({ field: "tools", text: error.message });
    }
  }
  private setFieldFault(fault: App["fieldFault"]): void {
    this.fieldFault = fault;
    this.changed("field-fault");
  }

  stop(): void {
    this.run?.stop();
  }

  choose(message: Message): void {
    this.current.chosen[message.parent] = message.id;
    this.save(this.current);
    this.changed("conversation");
  }

  settingsChanged(): void {
    if (this.current.messages.length) this.save(this.current);
    this.changed("settings");
  }

  private save(conversation: Conversation): void {
    if (!this.conversations.includes(conversation)) this.conversations.push(conversation);
    this.sort();
    this.keep(conversation);
  }
  private keep(conversation: Conversation): void {
    this.store.put(conversation).then(
      (hasMore) => hasMore && this.tookOver(conversation),
      () => this.changed("unkept"),
    );
  }

  private async changedElsewhere(id: string): Promise<void> {
    const kept = await this.store.get(id);
    if (!kept) return; // and removed since
    const conversation = this.conversations.find((known) => known.id === id);
    if (!conversation) this.conversations.push(kept);
    else if (!merge(conversation, kept, "theirs")) return;
    this.tookOver(conversation ?? kept);
  }
  private removedElsewhere(id: string): void {
    const conversation = this.conversations.find((known) => known.id === id);
    if (!conversation || this.isWriting(conversation)) return; // which brings it back
    this.conversations = this.conversations.filter((other) => other !== conversation);
    if (this.current === conversation) this.current = newConversation(conversation.settings);
    this.changed("conversation", "list", "settings");
  }
  private tookOver(conversation: Conversation): void {
    this.sort();
    this.changed("list");
    if (conversation === this.current) this.changed("conversation", "elsewhere");
  }
  private sort(): void {
    this.conversations.sort((a, b) => b.updated - a.updated);
  }
}
